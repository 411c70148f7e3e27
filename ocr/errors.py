"""The root of the errors that a user can mend: the command line prints them without a traceback."""


class OcrError(ValueError):
    """Bad input, data, configuration or weights; the message names the file and the reason."""


def reason_of(error: Exception) -> str:
    """What an error says, without number and name of a file: who names the file says it once."""
    return getattr(error, "strerror", None) or str(error)
