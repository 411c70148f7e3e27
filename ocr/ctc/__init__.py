"""CTC: loss, lattice, decoders, alignment."""

# prefixes that a beam search keeps unless it is told otherwise
BEAM_WIDTH = 100
