from tests.verify.diagnosis.mistakes.layers.tables import require_different
from verify.diagnosis.mistakes.layers import norms

test_another_gradient_than_the_right_one = require_different(norms.TABLE)
