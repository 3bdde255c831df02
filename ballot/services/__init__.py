"""Everything with an effect: database, keys, mail, clock. The web and the commands call these; the protocol is called by these."""
