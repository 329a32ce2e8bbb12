"""Which bits of a Bloom filter a key sets, in Python's own integers: what tests compare numpy's answers with."""

from sketches.bloom import Size

MASK = 2**64 - 1


def _mixed(state: int) -> int:
    state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 & MASK
    state = (state ^ state >> 27) * 0x94D049BB133111EB & MASK
    return state ^ state >> 31


def bits_of(key: int, size: Size) -> set[int]:
    """The bits of a key: SplitMix64's first two outputs, enhanced double hashing."""
    first, second = (_mixed(key + step * 0x9E3779B97F4A7C15 & MASK) for step in (1, 2))
    return {(first + i * second + (i**3 - i) // 6 & MASK) % size.bits for i in range(size.hashes)}
