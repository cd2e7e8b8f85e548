"""Looking for what is wrong with a relay, whether it runs or not. Nothing is changed."""

from blindrelay.relay.doctor.examining import CHECKS, examine
from blindrelay.relay.doctor.model import Finding, Grade, Patient

__all__ = ["CHECKS", "Finding", "Grade", "Patient", "examine"]
