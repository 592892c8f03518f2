"""Drawing dermoscopy-like pictures of made-up lesions, whole images at a time in NumPy.

A lesion is a handful of random numbers; a view is a lesion seen rotated, zoomed and in another
light. All fields (border, colour, texture) are functions of the lesion's own coordinates, so the
views of a lesion agree with each other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Colour = tuple[float, float, float]


@dataclass(frozen=True, kw_only=True)
class Look:
    """Typical values of a class, all in 0..1 unless said; a lesion scatters around them."""

    colour: Colour
    """Of most of the lesion, RGB."""
    second: Colour
    """Of blotches, RGB."""
    blotches: float
    """How much of the second colour there is."""
    irregular: float
    """Roughness of the border."""
    soft: float
    """Width of the border's fading, in lesion radii."""
    network: float
    """Strength of the pigment network."""
    dots: float
    """Strength of globules and dots (dark where positive, pale where negative)."""
    centre: float
    """How much paler the centre is than the rim."""
    size: float
    """Radius as a share of half the picture."""


_BROWN: Colour = (0.52, 0.35, 0.24)
LOOKS: Mapping[str, Look] = {
    "akiec": Look(
        colour=(0.76, 0.47, 0.42), second=(0.80, 0.66, 0.50), blotches=0.55, irregular=0.40,
        soft=0.30, network=0.06, dots=-0.35, centre=0.05, size=0.58,
    ),
    "bcc": Look(
        colour=(0.80, 0.56, 0.53), second=(0.47, 0.42, 0.46), blotches=0.36, irregular=0.34,
        soft=0.20, network=0.03, dots=0.30, centre=0.15, size=0.52,
    ),
    "bkl": Look(
        colour=(0.60, 0.45, 0.31), second=(0.71, 0.56, 0.38), blotches=0.45, irregular=0.30,
        soft=0.08, network=0.12, dots=-0.45, centre=0.00, size=0.58,
    ),
    "df": Look(
        colour=(0.64, 0.45, 0.36), second=(0.60, 0.42, 0.34), blotches=0.20, irregular=0.18,
        soft=0.32, network=0.22, dots=0.05, centre=0.75, size=0.42,
    ),
    "mel": Look(
        colour=(0.42, 0.29, 0.22), second=(0.31, 0.28, 0.31), blotches=0.48, irregular=0.46,
        soft=0.14, network=0.34, dots=0.30, centre=0.05, size=0.64,
    ),
    "nv": Look(
        colour=_BROWN, second=(0.42, 0.28, 0.20), blotches=0.28, irregular=0.22,
        soft=0.18, network=0.30, dots=0.18, centre=0.00, size=0.48,
    ),
    "vasc": Look(
        colour=(0.66, 0.22, 0.27), second=(0.40, 0.16, 0.28), blotches=0.40, irregular=0.22,
        soft=0.10, network=0.00, dots=0.10, centre=0.00, size=0.42,
    ),
}  # fmt: skip
_ALIKE: Mapping[str, tuple[str, ...]] = {
    "akiec": ("bcc", "bkl"),
    "bcc": ("akiec", "nv", "vasc"),
    "bkl": ("akiec", "mel", "nv"),
    "df": ("bcc", "nv"),
    "mel": ("bkl", "nv", "nv"),
    "nv": ("bkl", "df", "mel", "mel"),
    "vasc": ("bcc", "mel"),
}
"""What a lesion of a class leans towards: classes that physicians confuse too."""
_LEAN = (1.3, 2.3)
"""Beta distribution of how far it leans; above one half it looks more like the other class."""
_SCATTER = 0.11
"""Standard deviation of a lesion's values around its class's: what makes classes overlap."""
_BORDER_WAVES, _FIELD_WAVES = 9, 8


@dataclass(frozen=True, kw_only=True)
class Lesion:
    """One drawn lesion."""

    look: Look
    skin: Colour
    border: npt.NDArray[np.float64]
    """Cosine and sine amplitudes of the radius by angle [2, _BORDER_WAVES]."""
    stretch: float
    """Ratio of the two axes."""
    waves: npt.NDArray[np.float64]
    """Wave vectors and phases of three random fields [3, _FIELD_WAVES, 3]."""
    period: float
    """Meshes of the network per radius."""


def make_lesion(label: str, rng: np.random.Generator) -> Lesion:
    """A lesion of a class; some look more like another class, as in life."""
    look = _leaning(LOOKS[label], LOOKS[str(rng.choice(_ALIKE[label]))], float(rng.beta(*_LEAN)))

    def near(value: float, spread: float = _SCATTER) -> float:
        return float(value + spread * rng.standard_normal())

    tone, warmth = rng.normal(0.0, 0.055), rng.normal(0.0, 0.035)
    depth = rng.normal(0.0, 0.07)
    scattered = Look(
        colour=_shifted(look.colour, depth, rng.normal(0.0, 0.03)),
        second=_shifted(look.second, depth, rng.normal(0.0, 0.03)),
        blotches=float(np.clip(near(look.blotches), 0.0, 0.9)),
        irregular=float(np.clip(near(look.irregular), 0.05, 0.8)),
        soft=float(np.clip(near(look.soft, 0.06), 0.04, 0.5)),
        network=float(np.clip(near(look.network), 0.0, 0.6)),
        dots=near(look.dots, 0.16),
        centre=float(np.clip(near(look.centre, 0.14), -0.2, 0.9)),
        size=float(np.clip(near(look.size), 0.25, 0.85)),
    )
    falloff = 1.0 / np.arange(1, _BORDER_WAVES + 1)
    # Blotches are broad, dots fine, the skin's mottling broadest: radians per lesion radius.
    length = np.array([2.6, 17.0, 1.6])[:, None] * rng.uniform(0.6, 1.4, (3, _FIELD_WAVES))
    turn, phase = rng.uniform(0.0, 2 * np.pi, (2, 3, _FIELD_WAVES))
    waves = np.stack([length * np.cos(turn), length * np.sin(turn), phase], axis=-1)
    return Lesion(
        look=scattered,
        skin=_shifted((0.85, 0.68, 0.60), float(tone), float(warmth)),
        border=rng.normal(0.0, 1.0, (2, _BORDER_WAVES)) * falloff,
        stretch=float(rng.uniform(0.75, 1.0)),
        waves=waves,
        period=float(rng.uniform(15.0, 23.0)),
    )


def _leaning(look: Look, other: Look, share: float) -> Look:
    """A look, moved by `share` of the way towards another."""

    def between(name: str) -> float:
        return float((1 - share) * getattr(look, name) + share * getattr(other, name))

    def colour(name: str) -> Colour:
        pairs = zip(getattr(look, name), getattr(other, name), strict=True)
        red, green, blue = ((1 - share) * a + share * b for a, b in pairs)
        return red, green, blue

    names = [item.name for item in fields(Look) if item.name not in {"colour", "second"}]
    numbers = {name: between(name) for name in names}
    return Look(colour=colour("colour"), second=colour("second"), **numbers)


def _shifted(colour: Colour, light: float, warmth: float) -> Colour:
    red, green, blue = colour
    return red + light + warmth / 2, green + light, blue + light - warmth / 2


def draw(
    lesion: Lesion, size: int, rng: np.random.Generator
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.uint8]]:
    """A new view of a lesion.

    Args:
        lesion: what is seen.
        size: side of the square picture in pixels.
        rng: draws the view: turn, zoom, shift, light, hairs and noise.

    Returns:
        (image [size, size, 3] RGB, mask [size, size] of 0 and 255).
    """
    look = lesion.look
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    u, v = np.meshgrid(axis, axis)
    x, y = _lesion_coordinates(u, v, lesion, rng)
    inside, distance = _border(x, y, lesion)
    blotch, grain, mottle = _fields(x, y, lesion.waves)

    image = np.empty((size, size, 3), dtype=np.float32)
    image[:] = np.asarray(lesion.skin, dtype=np.float32)
    image += 0.018 * mottle[..., None]
    amount = np.clip(0.5 + 1.5 * (blotch + 2.0 * look.blotches - 1.0), 0.0, 1.0)[..., None]
    pigment = np.asarray(look.colour, np.float32) * (1 - amount) + amount * np.asarray(
        look.second, np.float32
    )
    pigment -= _texture(x, y, grain, lesion)[..., None]
    paler = np.clip(look.centre * np.exp(-((distance / 0.45) ** 2)), -0.2, 1.0)
    cover = (inside * (1.0 - paler))[..., None]
    image = image * (1 - cover) + pigment * cover
    _add_hairs(image, u, v, rng)
    _add_light(image, u, v, rng)
    mask = np.where(distance < 1.0, 255, 0).astype(np.uint8)
    return np.clip(image * 255.0 + 0.5, 0, 255).astype(np.uint8), mask


def _lesion_coordinates(
    u: Floats, v: Floats, lesion: Lesion, rng: np.random.Generator
) -> tuple[Floats, Floats]:
    """Picture coordinates (-1..1) to the lesion's own, in lesion radii."""
    angle, flip = rng.uniform(0.0, 2 * np.pi), rng.choice([-1.0, 1.0])
    scale = 1.0 / (lesion.look.size * rng.uniform(0.85, 1.2))
    shift_u, shift_v = rng.normal(0.0, 0.06, 2)
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    du, dv = (u - shift_u) * flip, v - shift_v
    return (cos * du - sin * dv).astype(np.float32), (sin * du + cos * dv).astype(np.float32)


def _border(x: Floats, y: Floats, lesion: Lesion) -> tuple[Floats, Floats]:
    """(how much a point is inside, 0..1; distance from the centre, 1 on the border)."""
    stretched = y / np.float32(lesion.stretch)
    # cos(k t) and sin(k t) for every k are powers of one complex number of length 1.
    point = x + 1j * stretched
    radius = np.abs(point)
    unit = point / np.maximum(radius, 1e-6)
    wave, power = np.zeros_like(x), np.ones_like(unit)
    for cosine, sine in lesion.border.T:
        power = power * unit
        wave += np.float32(cosine) * power.real + np.float32(sine) * power.imag
    edge = np.clip(1.0 + 0.42 * lesion.look.irregular * wave, 0.35, 1.7)
    distance = (radius / edge).astype(np.float32)
    inside = 1.0 / (1.0 + np.exp(np.clip((distance - 1.0) * (4.0 / lesion.look.soft), -30, 30)))
    return inside.astype(np.float32), distance


def _fields(x: Floats, y: Floats, waves: npt.NDArray[np.float64]) -> Floats:
    """Three smooth random fields with mean 0 and a standard deviation near 0.5 [3, H, W]."""
    along, across, phase = np.moveaxis(waves.astype(np.float32), -1, 0)[..., None, None]
    # Not a matrix product: its last bits would depend on the number of threads.
    cosines = np.cos(along * x + across * y + phase)
    return np.asarray(cosines.sum(axis=1) * np.float32(0.5 * np.sqrt(2 / _FIELD_WAVES)))


def _texture(x: Floats, y: Floats, grain: Floats, lesion: Lesion) -> Floats:
    """Darkening by the pigment network and by dots."""
    look, k = lesion.look, np.float32(lesion.period)
    bend = 0.6 * grain
    mesh = np.maximum(np.cos(k * x + bend), np.cos(k * (0.5 * x + 0.87 * y) - bend))
    dots = np.clip((np.abs(grain) - 0.55) * 4.0, 0.0, 1.0)
    return np.asarray(0.36 * look.network * np.clip(mesh, 0, 1) ** 4 + 0.24 * look.dots * dots)


def _add_hairs(image: Floats, u: Floats, v: Floats, rng: np.random.Generator) -> None:
    for _ in range(rng.poisson(1.2)):
        angle, offset, bend = rng.uniform(0, np.pi), rng.uniform(-0.9, 0.9), rng.normal(0, 0.25)
        along = np.cos(angle) * u + np.sin(angle) * v
        across = np.cos(angle) * v - np.sin(angle) * u - offset - bend * along**2
        strength = rng.uniform(0.3, 0.75) * np.exp(-((across / 0.014) ** 2))
        image *= (1.0 - strength)[..., None].astype(np.float32)


def _add_light(image: Floats, u: Floats, v: Floats, rng: np.random.Generator) -> None:
    """Exposure, colour cast, a slope of light, a vignette and the sensor's noise."""
    gain = rng.normal(1.0, 0.055) * rng.normal(1.0, 0.02, 3)
    slope_u, slope_v = rng.normal(0.0, 0.04, 2)
    dark = rng.uniform(0.05, 0.45)
    corner = np.clip(u**2 + v**2 - rng.uniform(0.7, 1.1), 0.0, None)
    light = (1.0 + slope_u * u + slope_v * v) * (1.0 - np.clip(dark * corner, 0.0, 0.9))
    image *= light[..., None] * gain.astype(np.float32)
    image += rng.standard_normal(image.shape, dtype=np.float32) * np.float32(0.018)
