// Ordinary Python, unmodified, behind all walls: what must keep working.
#include <doctest/doctest.h>
#include <sys/wait.h>

#include <string>

#include "test_sandbox.h"

namespace rowhouse::jail {
namespace {

struct Running {
  TestHomes homes;
  TestSandbox sandbox{homes};
  Running() {
    sandbox.setup.tmp_bytes = 16 << 20;
    sandbox.setup.tmp_inodes = 1024;
    sandbox.start();
    sandbox.wait_until_ready();
  }
  // The source must print exactly `wanted`.
  void check(const std::string& source, const std::string& wanted) {
    const Outcome outcome = sandbox.run_python(source);
    CHECK(outcome.output == wanted);
    CHECK(outcome.wait_status == 0);
  }
};

}  // namespace

TEST_CASE_FIXTURE(Running, "threads and subprocesses") {
  check(
      "import threading\nt=[threading.Thread(target=print, args=(i,)) for i in range(3)]\n"
      "[x.start() or x.join() for x in t]",
      "0\n1\n2\n");
  check(
      "import subprocess, os\nprint(subprocess.run('echo out; id -u', shell=True, capture_output=True, "
      "text=True).stdout)\n"
      "print(os.popen('true | echo x').read())",
      "out\n61001\n\nx\n\n");
}

TEST_CASE_FIXTURE(Running, "multiprocessing: pool, queue, shared memory") {
  check(
      "import multiprocessing as m\n"
      "with m.Pool(3) as p: print(sum(p.map(abs, range(-5, 5))))\n"
      "q=m.Queue(); x=m.Process(target=q.put, args=(42,)); x.start(); print(q.get()); x.join()\n"
      "from multiprocessing.shared_memory import SharedMemory as S\n"
      "s=S(name='row', create=True, size=4096); s.buf[0]=7; t=S(name='row'); print(t.buf[0]); t.close(); "
      "s.close(); s.unlink()",
      "25\n42\n7\n");
}

TEST_CASE_FIXTURE(Running, "files: sqlite in WAL mode, tempfile, flock, mmap, memfd, sendfile") {
  check(
      "import sqlite3, os\nd=sqlite3.connect(os.path.expanduser('~/db.sqlite'))\n"
      "print(d.execute('pragma journal_mode=wal').fetchone()[0]); d.execute('create table t(x)')\n"
      "d.execute('insert into t values (3)'); d.commit(); print(d.execute('select x from t').fetchone()[0])",
      "wal\n3\n");
  check(
      "import tempfile, fcntl, mmap, os, shutil\n"
      "f=tempfile.NamedTemporaryFile(); f.write(b'x'*5000); f.flush(); fcntl.flock(f, fcntl.LOCK_EX)\n"
      "print(mmap.mmap(f.fileno(), 0)[4999]); shutil.copyfile(f.name, '/tmp/copy'); "
      "print(os.path.getsize('/tmp/copy'))\n"
      "m=os.memfd_create('m'); os.write(m, b'abc'); print(os.pread(m, 3, 0)); r,w=os.pipe()\n"
      "print(os.sendfile(w, f.fileno(), 0, 4)); print(os.copy_file_range(f.fileno(), os.open('/tmp/c', "
      "os.O_CREAT|os.O_WRONLY), 10, 0))",
      "120\n5000\nb'abc'\n4\n10\n");
}

TEST_CASE_FIXTURE(Running, "asyncio with subprocesses and signals") {
  check(
      "import asyncio, signal, os\n"
      "async def main():\n"
      "  p=await asyncio.create_subprocess_exec('echo','hi',stdout=asyncio.subprocess.PIPE); print((await "
      "p.communicate())[0])\n"
      "  e=asyncio.Event(); asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, e.set); "
      "os.kill(os.getpid(), signal.SIGUSR1)\n"
      "  await asyncio.wait_for(e.wait(), 5); print('signalled')\n"
      "asyncio.run(main())",
      "b'hi\\n'\nsignalled\n");
}

TEST_CASE_FIXTURE(Running, "ctypes closures and executable memory") {
  check(
      "import ctypes, mmap\nF=ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int); print(F(lambda x: x+1)(4))\n"
      "m=mmap.mmap(-1, 4096, prot=mmap.PROT_READ|mmap.PROT_WRITE|mmap.PROT_EXEC); print(len(m))\n"
      "print(ctypes.CDLL('libc.so.6').getpid() > 1)",
      "5\n4096\nTrue\n");
}

TEST_CASE_FIXTURE(Running, "names, TLS contexts, randomness, locale, cpu count, users") {
  check(
      "import socket, ssl, os, locale, pwd, time\n"
      "print(socket.getaddrinfo('localhost', 80, type=socket.SOCK_STREAM)[0][4][1]); "
      "c=ssl.create_default_context()\n"
      "print(c.verify_mode == ssl.CERT_REQUIRED, len(c.get_ca_certs()) > 0, len(os.urandom(8)), "
      "locale.setlocale(locale.LC_ALL, ''))\n"
      "print(os.cpu_count() > 0, pwd.getpwuid(os.getuid()).pw_name, time.tzname[0] != '')",
      "80\nTrue True 8 C.UTF-8\nTrue acme True\n");
}

TEST_CASE_FIXTURE(Running, "UNIX sockets with descriptors between own processes") {
  check(
      "import socket, os\na,b=socket.socketpair(); r,w=os.pipe(); socket.send_fds(a,[b'x'],[w])\n"
      "_,f,_,_=socket.recv_fds(b,1,1); os.write(f[0], b'through'); print(os.read(r,7))\n"
      "s=socket.socket(socket.AF_UNIX); s.bind('\\0mine'); s.listen(); c=socket.socket(socket.AF_UNIX); "
      "c.connect('\\0mine'); print('ok')",
      "b'through'\nok\n");
}

TEST_CASE_FIXTURE(Running, "an extension module from the home") {
  check(
      "import os, shutil, sysconfig, sys\n"
      "p=sysconfig.get_path('platstdlib')+'/lib-dynload/_json'+sysconfig.get_config_var('EXT_SUFFIX')\n"
      "h=os.path.expanduser('~'); shutil.copy(p, h); sys.path.insert(0, h); import _json; "
      "print(_json.__file__.startswith(h))",
      "True\n");
}

}  // namespace rowhouse::jail
