"""What is wrong with a rule."""


class RuleFault(ValueError):
    """A rule that cannot be used. Its text is one line: what is wrong, and at which column of the rule, from 1.

    It quotes nothing of the rule, as a rule is a record like others: columns, words of the language and names of fields
    have to do.
    """

    def __init__(self, column: int, what: str) -> None:
        super().__init__(f"column {column}: {what}" if column else what)
        self.column = column
