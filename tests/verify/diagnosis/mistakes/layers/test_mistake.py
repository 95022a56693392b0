from verify.diagnosis.mistakes.layers import LAYER_CATALOGUE


def test_names_are_unique_and_everything_is_said():
    assert len({mistake.name for mistake in LAYER_CATALOGUE}) == len(LAYER_CATALOGUE) >= 60
    assert all(m.wrong and m.right and m.story and m.wrong != m.right for m in LAYER_CATALOGUE)
