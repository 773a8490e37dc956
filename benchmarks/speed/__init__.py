"""How fast crowdad is, stage by stage and as a whole, beside decoding alone."""
