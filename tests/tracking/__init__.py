"""The tests of what is tracked. Assertions in the model's own modules say what they compared, too."""

import pytest

MODEL = ("api_rules", "clock_rules", "machine", "queue_rules", "seen")

pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in MODEL))
