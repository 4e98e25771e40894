"""Values that head office's API knows by name and that random text never hits; schemathesis loads this file."""

import schemathesis
from hypothesis import strategies as st

ZONES = ["Europe/London", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]
schemathesis.openapi.format("iana-time-zone", st.sampled_from(ZONES))
schemathesis.openapi.format("iso-4217", st.sampled_from(["GBP", "EUR", "JPY", "KWD"]))
