"""What is raised for a value that cannot be read."""


class UnreadableValueError(ValueError):
    """A value of a column is invalid."""

    def __init__(self, row: int, value: object, problem: str) -> None:
        super().__init__(problem)
        self.row, self.value, self.problem = row, value, problem
