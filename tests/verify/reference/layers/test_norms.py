from tests.verify.reference.layers.judged import require_torch_verified, require_verified
from tests.verify.reference.layers.right import norms

test_a_correct_backward_pass_is_verified = require_verified(norms.RIGHT)
test_pytorch_is_verified = require_torch_verified(norms.RIGHT)
