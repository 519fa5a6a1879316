"""Every error the library raises on purpose: one sentence that says what is wrong, where, and what to do."""


class DosimetryError(Exception):
    """Base of all expected failures; the command line shows its message without a traceback and exits with 2."""


class ConfigurationError(DosimetryError):
    """A setting is unknown, missing or out of range."""


class StudyError(DosimetryError):
    """Files of a study are unreadable, incomplete or contradict each other."""


class ImageFileError(DosimetryError):
    """An image file cannot be read or written, or holds values that cannot be what it is said to hold."""


class GridMismatchError(DosimetryError):
    """Two arrays on different grids were about to be combined."""


class PhysicsDataError(DosimetryError):
    """A nuclide, material or energy outside the tables was asked for."""


class TransportError(DosimetryError):
    """A Monte Carlo run was asked for something that cannot be simulated."""


class CalibrationError(DosimetryError):
    """Images cannot be brought to activity at scan time, or hold more activity than was administered."""


class RegistrationError(DosimetryError):
    """Two time points could not be aligned."""


class VoiError(DosimetryError):
    """A volume of interest is empty, outside the image or cannot be drawn on the grid."""


class KineticsError(DosimetryError):
    """A time-activity curve cannot be integrated with the chosen model."""


class DoseError(DosimetryError):
    """An absorbed-dose engine cannot work with its input."""


class LearningError(DosimetryError):
    """A network cannot be built, trained, read or applied."""


class EvaluationError(DosimetryError):
    """A dose cannot be summarised or compared."""


class PredictionError(DosimetryError):
    """A dose cannot be predicted, or a predictor cannot be trained, from what is given."""


class ReportError(DosimetryError):
    """Results cannot be written; nothing half-written is left behind."""


class ReplayError(DosimetryError):
    """A run cannot be repeated from its record."""


class CancelledError(DosimetryError):
    """The user asked to stop; nothing half-written is left behind."""


class RadiobiologyError(DosimetryError):
    """A dose cannot be weighted biologically, added over cycles or held against a limit."""
