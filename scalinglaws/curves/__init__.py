"""The labelled result that every producer fills and every consumer reads."""
