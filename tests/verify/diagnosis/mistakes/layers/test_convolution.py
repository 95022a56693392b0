from tests.verify.diagnosis.mistakes.layers.tables import require_different
from verify.diagnosis.mistakes.layers import convolution

test_another_gradient_than_the_right_one = require_different(convolution.TABLE)
