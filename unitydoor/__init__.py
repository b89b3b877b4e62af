"""The one door: every read or write of governed data asks Unity Catalog here for a short-lived credential."""
