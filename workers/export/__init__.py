"""Networks to take along: in formats that run without Orchard."""
