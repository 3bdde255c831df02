"""The rules, one self-contained file each."""
