"""Numbers as people read them, and words that are needed in several places."""

from __future__ import annotations


def percent(share: float) -> str:
    """A share in words: two significant digits, never in scientific notation."""
    digits = f"{float(f'{share * 100:.2g}'):.12f}".rstrip("0").rstrip(".")
    return f"{digits} %"


def without_rounding_error(value: float) -> float:
    """To 12 significant digits, so that 2.0000000000000004, which is 2 in exact arithmetic, is not rounded up to 3."""
    return float(f"{value:.12g}")


def floor_error(unreserved_floor: int) -> str:
    """What AWS answers to a reservation that would take from the floor.

    Source: messages in public issues, such as https://github.com/awslabs/fhir-works-on-aws-deployment/issues/691.
    """
    return (
        "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below "
        f"its minimum value of [{unreserved_floor}]"
    )
