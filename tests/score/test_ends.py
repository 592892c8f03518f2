import pytest

from skinbench.score.ends import end


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.1234, "0.123"),
        (0.0003, "0.0003"),
        (-0.0003, "-0.0003"),
        (0.00000004, "0.000"),
        (0.0, "0.000"),
        (-1e-15, "0.000"),
        (0.9996, "1.000"),
    ],
)
def test_an_end_that_is_not_zero_does_not_read_as_zero(value, text):
    assert end(value) == text


def test_an_end_near_the_margin_shows_its_side():
    lines = (0.0, -0.05)
    assert end(-0.0499, lines, sign=True) == "-0.0499"
    assert end(-0.05004, lines, sign=True) == "-0.05004"
    assert end(-0.05, lines) == "-0.050"
    assert end(0.0123, lines, sign=True) == "+0.012"
    assert end(0.00012, digits=2, sign=True) == "+0.0001"
