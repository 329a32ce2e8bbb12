from tests.jobs.keeping import watches
from tests.jobs.keeping.watches import RESULT, RULES, Town
from tests.jobs.keeping.world import World


def test_x(spark, tmp_path):
    town = Town(3, 60)
    world = World(spark, tmp_path, RESULT)
    watches.append(world.places, town.adverts, town.told)
    world.keep(1000)
    rows = world.rows()
    found = {(r["event_time"], r["city"] or "", r["id"], r["owner"], r["version_lsn"]) for r in rows}
    exp = set(town.hits())
    print("MISSING", sorted(exp - found)[:5], len(exp - found))
    print("EXTRA", sorted(found - exp)[:5], len(found - exp))
    for r in sorted(world.rows("_watches"), key=lambda r: (r["id"], r["change_lsn"])):
        print({k: str(r[k]) for k in ("id", "predicate", "ends", "valid_from", "valid_to", "change_lsn", "change_op")})
    for v in town.versions:
        print(v)
    print(world.rows("_rules")[:3])
    assert 0
