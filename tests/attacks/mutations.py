"""All walls by name, and for each case which of them it needs.  `mutate` takes them out one at a time."""
import walls_of_gateway
import walls_of_jail
import walls_of_supervisor

WITHOUT_A_WALL = {
    "S07": "root opens no log at all: there is no line that opens one",
    "S13": "the group's kill, the end of the pid namespace and the kill of each leaf hold it up; `kill.*` takes each away",
    "S15": "as S13",
    "S14": "as S13; what a bomb takes meanwhile is `cgroup.pids`",
    "S17": "what is promised is a clean failure, whichever call fails",
    "S20": "the answer is JSON by a library, and the sentence is escaped where it is made",
    "S21": "no program makes a socket with a path in a tenant's directory",
    "S23": "each descriptor is close-on-exec from birth, in every place that makes one; `*.descriptors` are the nets below",
    "S24": "no secret is given as an argument or in an environment",
    "S28": "no program of ours loads a tenant's file",
    "T-CRED-03": "without it no filter can be installed: nothing starts (`step.no-new-privileges`)",
    "T-CRED-05": "the ids, the sets and the securebits each hold it; without two of them the proof refuses the start",
    "T-CRED-06": "no_new_privs, nosuid and the empty bounding set each hold it",
    "T-CRED-07": "the kernel inherits what T-CRED-01 to T-CRED-04 ask",
    "T-CRED-20": "it needs a capability and the limit (`limit.real-time`)",
    "T-CRED-21": "it needs a capability and the limit (`limit.nice`)",
    "T-CRED-24": "as T-CRED-02",
    "T-FILE-01": "the root holds only what was put into it; without the pivot nothing starts (`step.pivot`)",
    "T-FILE-02": "as T-FILE-01",
    "T-FILE-05": "the program is another user's, on a read-only mount (`mount.system.read-only`)",
    "T-FILE-07": "/etc is written from nothing",
    "T-FILE-11": "as T-FILE-01",
    "T-FILE-12": "as T-FILE-01",
    "T-FILE-18": "pid 1 is not dumpable and stands behind the same walls",
    "T-FILE-20": "as T-FILE-01",
    "T-FILE-21": "as T-FILE-01",
    "T-FILE-22": "the environment is written from nothing",
    "T-FILE-23": "as T-FILE-01",
    "T-FILE-26": "as T-FILE-01; what is mounted later is `mount.propagation`",
    "T-KERN-44": "as T-KERN-45 (`seccomp.architecture`), where the kernel has the 32 bit world",
    "T-NET-04": "it needs a capability",
    "T-NET-05": "as T-FILE-01",
    "T-NET-09": "as T-FILE-01",
    "T-NET-10": "what is promised is a word in the status",
    "T-NET-14": "as T-FILE-01",
    "T-PROC-03": "a pidfd reaches nobody whom the pid namespace and Landlock's scope do not let it reach (T-PROC-02)",
    "T-PROC-05": "as T-FILE-01",
    "W21": "the gateway maps no memory of anybody's",
    "W23": "what eight writers mix breaks the rules of frames, each of which is a wall of its own",
    "W24": "no program opens a file because of a response",
    "X01": "as T-FILE-01",
    "X02": "as T-FILE-01",
    "X07": "as T-FILE-01",
    "X14": "the kernel counts pipes by uid",
    "X15": "there is room for all of them; what one client may have is `connections.share`",
    "X16": "the kernel charges it; what may be charged is `cgroup.memory`",
    "X20": "each app has a budget of its own (`log.budget`), and a pipe is read in turns",
}

MUTATIONS = {mutation.name: mutation
             for mutation in (*walls_of_jail.WALLS, *walls_of_supervisor.WALLS, *walls_of_gateway.WALLS)}


def edits_of(mutation):
    """Of this wall and of those that go with it."""
    edits = list(mutation.edits)
    for name in mutation.together:
        edits += [edit for edit in MUTATIONS[name].edits if edit not in edits]
    return edits


def walls_of_cases():
    """case -> names of the walls without which it is red."""
    found = {}
    for mutation in MUTATIONS.values():
        for name in mutation.red:
            found.setdefault(name.partition("/")[0] if not name.startswith("tests/") else name, []).append(mutation.name)
    return found
