"""CTC: loss, lattice, decoders, alignment."""

# prefixes that a beam search keeps unless it is told otherwise
BEAM_WIDTH = 100
# no line needs as many, and the search of one would take minutes
WIDEST_BEAM = 10_000
