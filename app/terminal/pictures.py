"""Pictures: what stands in for the camera of a simulated rider."""

from __future__ import annotations

from io import BytesIO

WIDTH, HEIGHT = 1280, 960
_SKY, _STREET, _BODY, _WHEEL = "#9cc4e4", "#5b5f66", "#e4572e", "#1b1b1e"
_GROUND = 600


def draw(vehicle_type: str, plate: str) -> bytes:
    """A JPEG of a vehicle in a street, with its plate."""
    from PIL import Image, ImageDraw

    image = Image.new("RGB", (WIDTH, HEIGHT), _SKY)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, _GROUND, WIDTH, HEIGHT), _STREET)
    if vehicle_type in ("CAR", "VAN"):
        roof = 300 if vehicle_type == "VAN" else 380
        pen.rounded_rectangle((360, roof, 920, 560), 40, _BODY)
        pen.rounded_rectangle((240, 470, 1040, 640), 30, _BODY)
        wheels = ((400, 80), (880, 80))
    else:
        pen.line((420, 640, 560, 420, 760, 420, 860, 640), _BODY, 24)
        pen.line((760, 420, 740, 260, 660, 260), _BODY, 18)
        wheels = ((420, 110), (860, 110)) if vehicle_type == "BICYCLE" else ((420, 50), (860, 50))
    for middle, radius in wheels:
        pen.ellipse((middle - radius, 660 - radius, middle + radius, 660 + radius), outline=_WHEEL, width=22)
    pen.rectangle((500, 780, 780, 860), "white", _WHEEL, 6)
    pen.text((640, 820), plate, _WHEEL, anchor="mm", font_size=44)
    written = BytesIO()
    image.save(written, "JPEG", quality=85)
    return written.getvalue()
