"""What makes some resources of the stack, together with all that they depend on."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable

from troposphere import AWSObject

Part = tuple[Callable[..., Iterable[AWSObject]], tuple[Hashable, ...]]
"""A function and its arguments. Equal arguments make equal resources, so environments share what is equal in them."""
