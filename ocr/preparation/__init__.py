"""From a grey image of a line to what the network reads: light, ink, box, height."""
