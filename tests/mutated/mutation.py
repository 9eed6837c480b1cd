"""One small change that breaks something."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Mutation:
    """One change.

    Attributes:
        name: The module, in `exporter/tracking` or with its folder, and what is broken, in a few words.
        old: Text that occurs once in the module.
        new: What it becomes.
        tests: Tests of which at least one must fail: `module` or `module::test`, in `tests/tracking`.
    """

    name: str
    old: str
    new: str
    tests: tuple[str, ...]

    @property
    def path(self) -> Path:
        """The module, relative to the root."""
        module = self.name.partition(":")[0]
        return Path("exporter", f"{module}.py" if "/" in module else f"tracking/{module}.py")

    def apply(self, root: Path) -> None:
        """Make the change under this directory.

        Raises:
            LookupError: The text does not occur once.
        """
        module = root / self.path
        text = module.read_text()
        if text.count(self.old) != 1:
            raise LookupError(f"{self.path} has {text.count(self.old)} times: {self.old}")
        module.write_text(text.replace(self.old, self.new))
