"""The tests. A package, so that `tests` means this folder and not the one that the vendor's SDK installs."""
