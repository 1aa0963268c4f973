"""Each problem of a model's values is one line in the product's words."""

from pydantic import BaseModel, ValidationError, model_validator

from cmbkit.params.problems import problem_lines


class Ends(BaseModel, extra="forbid", strict=True):
    low: float
    high: float

    @model_validator(mode="after")
    def _ordered(self):
        if self.low < 0:
            raise ValueError(f"low: expected 0 or more, found {self.low}")
        if self.low > self.high:
            raise ValueError("expected low below high")
        return self


def lines(**values):
    try:
        Ends.model_validate(values)
    except ValidationError as error:
        return problem_lines(error, Ends, whole="ends")
    return []


def test_words_are_ours_and_wrong_names_are_told_with_the_right_one():
    assert lines(low=0.0, high=1.0) == []
    assert lines(low=2.0, high=1.0) == [
        "ends: expected low below high; found {'low': 2.0, 'high': 1.0}"
    ]
    assert lines(low="1e-3", high=1.0, hihg=2.0) == [
        "low: Input should be a valid number; found '1e-3' (YAML reads 1e-3 as text; write 1.0e-3)",
        "hihg: no such parameter; did you mean high?",
    ]
    assert lines(low=-1.0, high=1.0) == ["ends: low: expected 0 or more, found -1.0"]
    assert lines(low=1.0) == ["high: expected a value, found nothing"]
