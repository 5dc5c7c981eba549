"""A real SLURM on this one machine, for tests: several virtual nodes, with accounting in a database or without.

Everything listens on the loopback and lives in one private folder: configuration, keys, database, spool, logs. The one
thing outside is a link from SLURM's default place to the configuration, because programs that a job starts look
there. Whatever ends the block (also Ctrl-C or SIGTERM) stops every process that was started, and removes the link.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

__all__ = ["DEFAULT_CONFIG", "MARK", "Slurm", "SlurmError", "leftover", "started"]

DEFAULT_CONFIG = Path("/etc/slurm/slurm.conf")
# In the environment of all processes of the cluster and of its jobs, with the private folder as value: it finds them.
MARK = "MICROBIOME_TEST_CLUSTER"
PREFIX = "microbiome-slurm-"
ACCOUNT = "fmt"
PARTITION = "short"
# Debian installs the daemons where the PATH of a plain user does not reach.
PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])

_SLURM = """\
ClusterName=trial
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={ports[0]}
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CryptoType=crypto/munge
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SlurmdParameters=config_overrides
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool.%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
# A job that holds more memory than it asked for is killed, looked at every second.
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherParams=OverMemoryKill
JobAcctGatherFrequency=task=1
# A node that was taken down comes back only when somebody says so.
ReturnToService=1
# So long the controller tells of a job after its end: the tests ask it, and Snakemake without accounting.
MinJobAge=86400
KillWait=2
OverTimeLimit=0
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0,sched_min_interval=100000
NodeName=n[1-{nodes}] NodeHostname={host} NodeAddr=127.0.0.1 Port=[{first}-{last}] CPUs={cpus} RealMemory={memory}
PartitionName={partition} Nodes=ALL Default=YES MaxTime=UNLIMITED State=UP
"""
_WITH_ACCOUNTING = """\
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={ports[1]}
AccountingStoragePass={folder}/munge.socket
"""
_SLURMDBD = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
DbdHost=localhost
DbdAddr=127.0.0.1
DbdPort={ports[1]}
SlurmUser=root
StorageType=accounting_storage/mysql
StorageHost=127.0.0.1
StoragePort={ports[2]}
StorageUser=slurm
StoragePass=private
StorageLoc=slurm
LogFile={folder}/slurmdbd.log
PidFile={folder}/slurmdbd.pid
"""


class SlurmError(RuntimeError):
    """The cluster could not be started; nothing of it is left running."""


@dataclass
class Slurm:
    """A running cluster.

    Parameters
    ----------
    folder
        Its private folder.
    nodes
        Names of the nodes.
    accounting
        There is a database, so that ``sacct`` works.
    environment
        What a program needs in its environment to use the cluster.
    """

    folder: Path
    nodes: tuple[str, ...]
    accounting: bool
    environment: dict[str, str]
    _processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def run(self, *words: str) -> str:
        """Run a program that talks to the cluster (``scontrol``, ``sacct``) and return what it prints."""
        done = subprocess.run(words, env=self.environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise SlurmError(f"{' '.join(words)}: {done.stderr or done.stdout}")
        return done.stdout

    def node_states(self) -> dict[str, str]:
        """Return the state of each node, in the words of ``sinfo``."""
        lines = self.run("sinfo", "--noheader", "--Node", "--format=%N %T").splitlines()
        return dict(line.split() for line in lines)

    def states(self) -> dict[int, str]:
        """Return the last state of each job that the controller still knows."""
        lines = self.run("squeue", "--noheader", "--states=all", "--format=%A %T").splitlines()
        return {int(job): state for job, state in map(str.split, lines)}

    def running_on(self, node: str) -> list[int]:
        """Return the jobs that run on a node."""
        lines = self.run("squeue", "--noheader", "--states=running", f"--nodelist={node}", "--format=%A").split()
        return [int(job) for job in lines]

    def take_down(self, node: str) -> None:
        """Take a node down as an administrator does, and let its machine be gone: the virtual nodes share one."""
        jobs = self.running_on(node)
        self.run("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
        for job in jobs:
            for process in marked(self.folder, f"SLURM_JOB_ID={job}"):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)

    # ------------------------------------------------------------------------------------------ start and stop

    def start(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        """Start a daemon of the cluster in a session of its own, its output in a file named after it."""
        with (self.folder / f"{name}.out").open("wb") as out:
            process = subprocess.Popen(
                words, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True
            )
        self._processes[name] = process
        return process

    def wait(self, what: str, ready: Callable[[], bool], seconds: float = 60) -> None:
        """Wait until something is so; tell what the daemons said when it does not come to be."""
        deadline = time.monotonic() + seconds
        while not ready():
            ended = [name for name, process in self._processes.items() if process.poll() is not None]
            if ended or time.monotonic() > deadline:
                reason = f"ended: {', '.join(ended)}" if ended else "waited in vain"
                raise SlurmError(f"{what}: {reason}\n{self.said()}")
            time.sleep(0.1)

    def said(self) -> str:
        """Return the last lines of every log in the folder."""
        logs = [path for pattern in ("*.log", "*.out") for path in sorted(self.folder.glob(pattern))]
        ends = [(path.name, path.read_text("utf-8", "replace").splitlines()[-8:]) for path in logs]
        return "\n".join(line for name, end in ends if end for line in (f"== {name}", *end))

    def stop(self) -> None:
        """Cancel all jobs, stop the daemons in the opposite order of their start, and whatever a job left running."""
        if "slurmctld" in self._processes:
            with contextlib.suppress(SlurmError):
                self.run("scancel", "--partition", PARTITION)
                self._settle()
        for process in reversed(self._processes.values()):
            _end(process)
        _end_marked(self.folder)

    def _settle(self) -> None:
        """Give the cancelled jobs a moment to end by themselves."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline and self.run("squeue", "--noheader"):
            time.sleep(0.2)


@contextlib.contextmanager
def started(*, nodes: int = 4, cpus: int = 2, memory: int = 6000, accounting: bool = True) -> Iterator[Slurm]:
    """Start a cluster, and stop it whatever ends the block.

    Parameters
    ----------
    nodes, cpus, memory
        How many virtual nodes, and the CPUs and MB of memory that each claims to have.
    accounting
        Also start a database and ``slurmdbd``.

    Raises
    ------
    SlurmError
        This machine has a SLURM configuration already, we are not root, or a daemon did not start.
    """
    refuse_or_tidy(DEFAULT_CONFIG)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    environment = {**os.environ, "PATH": PATH, "SLURM_CONF": str(folder / "slurm.conf"), MARK: str(folder)}
    # The options of a person's own SLURM jobs would steer ours.
    for name in [name for name in environment if name.startswith(("SLURM_", "SBATCH_", "SRUN_", "SQUEUE_"))]:
        if name != "SLURM_CONF":
            del environment[name]
    cluster = Slurm(folder, tuple(f"n{number + 1}" for number in range(nodes)), accounting, environment)
    with _signals_raise():
        try:
            _start(cluster, nodes, cpus, memory)
            yield cluster
        finally:
            cluster.stop()
            _unlink(DEFAULT_CONFIG, folder)
            shutil.rmtree(folder, ignore_errors=True)


def refuse_or_tidy(config: Path) -> None:
    """Refuse to go on where it would meddle with somebody's SLURM; remove what a killed run of ours left behind."""
    if os.geteuid() != 0:
        raise SlurmError("a SLURM can be started here only by root (its daemons run jobs as others); run this as root")
    folder = leftover(config)
    if folder is not None:
        _end_marked(folder)
        _unlink(config, folder)
        shutil.rmtree(folder, ignore_errors=True)
    if config.is_symlink() or config.exists():
        raise SlurmError(
            f"{config} exists: this machine has a SLURM already, which is left alone. Run the test on a machine without"
            " one (or in a container), or move the file away if nothing needs it"
        )
    missing = [name for name in ("slurmctld", "slurmd", "sbatch", "munged") if not shutil.which(name, path=PATH)]
    if missing:
        raise SlurmError(f"not installed: {', '.join(missing)} (scripts/bootstrap.sh tools cluster installs them)")


def leftover(config: Path) -> Path | None:
    """Return the private folder that the link at SLURM's default place names, if it is one of ours."""
    if not config.is_symlink():
        return None
    folder = config.readlink().parent
    return folder if folder.name.startswith(PREFIX) and folder.parent == Path(tempfile.gettempdir()) else None


# ------------------------------------------------------------------------------------------------- the steps of a start


def _start(cluster: Slurm, nodes: int, cpus: int, memory: int) -> None:
    folder = cluster.folder
    folder.chmod(0o755)
    (folder / "state").mkdir()
    ports = _free_ports(3 + nodes)
    values = {
        "folder": folder,
        "host": socket.gethostname().split(".")[0],
        "ports": ports,
        "nodes": nodes,
        "first": ports[3],
        "last": ports[3] + nodes - 1,
        "cpus": cpus,
        "memory": memory,
        "partition": PARTITION,
    }
    text = _SLURM + (_WITH_ACCOUNTING if cluster.accounting else "AccountingStorageType=accounting_storage/none\n")
    (folder / "slurm.conf").write_text(text.format(**values), encoding="utf-8")
    _start_munge(cluster)
    if cluster.accounting:
        _start_database(cluster, ports[2])
        _private(folder / "slurmdbd.conf", _SLURMDBD.format(**values))
        cluster.start("slurmdbd", "slurmdbd", "-D")
        cluster.wait("slurmdbd", lambda: _answers(cluster, "sacctmgr", "--noheader", "show", "cluster"))
    DEFAULT_CONFIG.parent.mkdir(parents=True, exist_ok=True)
    DEFAULT_CONFIG.symlink_to(folder / "slurm.conf")
    if cluster.accounting:
        user = pwd.getpwuid(os.geteuid()).pw_name
        for words in (
            ["cluster", "trial"],
            ["account", ACCOUNT, "Cluster=trial"],
            ["user", user, f"Account={ACCOUNT}"],
        ):
            cluster.run("sacctmgr", "--immediate", "add", *words)
    cluster.start("slurmctld", "slurmctld", "-D", "-i")
    cluster.wait("slurmctld", lambda: _answers(cluster, "scontrol", "ping"))
    for node in cluster.nodes:
        cluster.start(f"slurmd.{node}", "slurmd", "-D", "-N", node)
    cluster.wait("nodes", lambda: set(cluster.node_states().values()) == {"idle"})


def _start_munge(cluster: Slurm) -> None:
    """Start a munge with a key of its own: that of the machine, if there is one, is neither needed nor touched."""
    place = cluster.folder
    _private(place / "munge.key", os.urandom(128).hex())
    files = {"key-file": "munge.key", "socket": "munge.socket", "pid-file": "munge.pid", "log-file": "munge.log"}
    options = [f"--{name}={place / file}" for name, file in {**files, "seed-file": "munge.seed"}.items()]
    cluster.start("munged", "munged", "--foreground", "--force", *options)
    cluster.wait("munged", (place / "munge.socket").exists)


def _start_database(cluster: Slurm, port: int) -> None:
    data, connection = cluster.folder / "database", cluster.folder / "mariadb.socket"
    user = pwd.getpwuid(os.geteuid()).pw_name
    common = ["--no-defaults", f"--datadir={data}", f"--tmpdir={cluster.folder}", f"--user={user}"]
    cluster.run("mariadb-install-db", *common, "--skip-test-db", "--auth-root-authentication-method=normal")
    cluster.start(
        "mariadbd",
        "mariadbd",
        *common,
        "--bind-address=127.0.0.1",
        f"--port={port}",
        f"--socket={connection}",
        f"--pid-file={cluster.folder / 'mariadb.pid'}",
        # The smallest that slurmdbd is content with; nothing here has to survive a crash.
        "--innodb-buffer-pool-size=64M",
        "--innodb-lock-wait-timeout=900",
        "--innodb-flush-log-at-trx-commit=0",
        "--skip-log-bin",
    )
    client = ["mariadb", "--no-defaults", f"--socket={connection}", "--user=root"]
    cluster.wait("mariadbd", lambda: _answers(cluster, *client, "--execute=select 1"))
    grants = (
        "create database slurm; create user slurm@localhost identified by 'private';"
        "create user slurm@'127.0.0.1' identified by 'private';"
        "grant all on slurm.* to slurm@localhost; grant all on slurm.* to slurm@'127.0.0.1';"
    )
    cluster.run(*client, f"--execute={grants}")


def _private(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")


def _answers(cluster: Slurm, *words: str) -> bool:
    try:
        return "DOWN" not in cluster.run(*words)
    except SlurmError:
        return False


def _free_ports(count: int) -> list[int]:
    """Return the numbers of free ports, all in a row."""
    for _ in range(100):
        with contextlib.ExitStack() as held, contextlib.suppress(OSError, OverflowError):
            first = held.enter_context(socket.socket())
            first.bind(("127.0.0.1", 0))
            ports = [first.getsockname()[1] + number for number in range(count)]
            for port in ports[1:]:
                held.enter_context(socket.socket()).bind(("127.0.0.1", port))
            return ports
    raise SlurmError(f"no {count} free ports in a row")


# -------------------------------------------------------------------------------------------------- the steps of a stop


@contextlib.contextmanager
def _signals_raise() -> Iterator[None]:
    """Let the signals that end a program quietly do what Ctrl-C does: it passes through ``finally`` and ends pytest."""

    def leave(number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt(signal.Signals(number).name)

    # Also Ctrl-C's own: in what a shell starts in the background it is ignored.
    some = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, leave) for number in some}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a process that we started: politely, then not."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _end_marked(folder: Path) -> None:
    """End what is left of the daemons and jobs of the cluster in a folder: its name stands in their environment."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        deadline = time.monotonic() + 5
        left = marked(folder)
        for process in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        while left and time.monotonic() < deadline:
            time.sleep(0.1)
            left = marked(folder)
        if not left:
            return


def marked(folder: Path, also: str = "") -> list[int]:
    """Return the processes, except this one, that have the mark of a cluster (and `also`) in their environment."""
    words = {f"{MARK}={folder}".encode(), *([also.encode()] if also else [])}
    found = []
    for place in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if int(place.name) != os.getpid() and words <= set((place / "environ").read_bytes().split(b"\0")):
                found.append(int(place.name))
    return found


def _unlink(config: Path, folder: Path) -> None:
    if config.is_symlink() and config.readlink().parent == folder:
        config.unlink()


def main(environment: Mapping[str, str] = os.environ) -> None:
    """Start a cluster for a look by hand: a shell in which its commands work, and whose end is the end of it."""
    with started(accounting="--no-accounting" not in sys.argv) as cluster:
        print(f"SLURM in {cluster.folder}; leave this shell to stop it")
        subprocess.run([environment.get("SHELL", "bash")], env=cluster.environment, check=False)


if __name__ == "__main__":
    main()
