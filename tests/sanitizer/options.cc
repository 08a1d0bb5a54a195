// Linked into every program of the sanitizer build: a sandbox has no environment of ours to say this in.
// Leaks are looked for where the environment asks (unit tests); CPython leaks at its end by design.
extern "C" const char* __asan_default_options();
extern "C" const char* __asan_default_options() { return "detect_leaks=0:abort_on_error=0:exitcode=99"; }
extern "C" const char* __ubsan_default_options();
extern "C" const char* __ubsan_default_options() { return "print_stacktrace=1:halt_on_error=1:exitcode=99"; }
