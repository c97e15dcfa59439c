"""One generated city and one set of tiles for all tests of this folder, and an outside issuer."""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from app import osm, tiles
from app.database import SessionFactory
from app.gateways import maps
from tests import factories
from tests.app import map_files
from tests.app.till import Till
from tests.conftest import FixedClock
from tests.issuing import KeyIssuer, serving


@pytest.fixture(scope="session")
def city_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return map_files.generated(tmp_path_factory.mktemp("city"))


@pytest.fixture(scope="session")
def city_map(city_file: Path) -> osm.CityMap:
    return map_files.read(city_file)


@pytest.fixture(scope="session")
def map_data(live_data_dir: Path) -> Path:
    """A data directory whose tiles are built once for all test processes."""
    return live_data_dir


@pytest.fixture(scope="session")
def city_tiles(city_file: Path, city_map: osm.CityMap, map_data: Path) -> Path:
    if not tiles.is_installed():
        pytest.skip(tiles.NOT_INSTALLED)
    built = tiles.build_tiles(map_data, city_map.digest, city_file)
    assert built is not None
    return built


@pytest.fixture
def router(map_data: Path) -> Iterator[maps.Maps]:
    router = maps.Maps(map_data)
    yield router
    router.close()


@pytest.fixture
def issuer(clock: FixedClock) -> Iterator[KeyIssuer]:
    made = KeyIssuer(clock)
    with serving(made):
        yield made


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for this machine that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = tmp_path / "certificate.pem", tmp_path / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )
    return paths


@pytest.fixture
async def till(session_factory: SessionFactory, clock: FixedClock) -> Till:
    async with session_factory.begin() as session:
        metro = await factories.add_metro(session, is_default=True)
        rider = await factories.add_rider(session)
    return Till(session_factory, clock, metro, rider)
