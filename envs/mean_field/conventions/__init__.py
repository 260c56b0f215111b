"""Games, policies and flows of MFGLib 0.3.0 and OpenSpiel 2.0.2 in this folder's terms, and back.

Neither is imported here: converters are handed what those libraries made. `docs/mean_field_conventions.md` has the
three conventions side by side.
"""
