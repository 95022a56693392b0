from tests.verify.reference.layers.judged import require_torch_verified, require_verified
from tests.verify.reference.layers.right import activations

test_a_correct_backward_pass_is_verified = require_verified(activations.RIGHT)
test_pytorch_is_verified = require_torch_verified(activations.RIGHT)
