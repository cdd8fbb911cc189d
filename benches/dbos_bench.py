"""A dbos workflow of steps that do nothing, on SQLite in a fresh folder; says what it took as one JSON object.

Usage: dbos_bench.py FOLDER STEPS delete|wal [chain|independent]
`delete` is what dbos sets up by itself (SQLite's own defaults); `wal` sets the file to WAL before dbos opens it.
"""

import asyncio
import json
import os
import pathlib
import resource
import sqlite3
import sys
import time
from importlib import metadata

from dbos import DBOS


@DBOS.step()
def noop():
    return None


@DBOS.step()
async def noop_async():
    return None


@DBOS.workflow()
def chain(steps):
    for _ in range(steps):
        noop()


@DBOS.workflow()
async def independent(steps):
    await asyncio.gather(*[noop_async() for _ in range(steps)])


def main(folder, steps, journal, shape="chain"):
    folder, steps = pathlib.Path(folder), int(steps)
    file = folder / "dbos.sqlite"
    sqlite3.connect(file).execute(f"PRAGMA journal_mode={journal}").close()
    # The newest warnings only: a line a step on the terminal would be measured as well.
    dbos = DBOS(config={"name": "bench", "system_database_url": f"sqlite:///{file}", "log_level": "ERROR"})
    DBOS.launch()
    began = time.perf_counter()
    if shape == "chain":
        chain(steps)
    else:
        asyncio.run(independent(steps))
    seconds = time.perf_counter() - began
    engine = dbos._sys_db.engine
    with engine.connect() as connection:
        settings = {name: connection.exec_driver_sql(f"PRAGMA {name}").scalar() for name in ("journal_mode", "synchronous")}
        recorded = connection.exec_driver_sql("SELECT count(*) FROM operation_outputs").scalar()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    what = {"what": f"dbos-{shape}-{journal}", "steps": steps, "seconds": seconds, "recorded": recorded, "peak_kib": peak, "version": metadata.version("dbos"), **settings}
    print(json.dumps(what), flush=True)
    # Its threads are of no interest any more.
    os._exit(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
