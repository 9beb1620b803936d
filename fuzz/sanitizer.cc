// sanitizer.cc - has the sanitizers leave signals and forked children to us, and take no notice of what is the program's, so that the
// allocator goes the ways that it goes without them; unused in a build without them.
namespace {

constexpr char options[] =
    "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0:allow_user_segv_handler=1:allow_user_poisoning=0:"
    "detect_leaks=0";

}  // namespace

// Called by the run-time libraries of address and thread sanitizer, before main.
extern "C" {
[[gnu::visibility("default")]] const char* __asan_default_options();
[[gnu::visibility("default")]] const char* __tsan_default_options();

const char* __asan_default_options() { return options; }
const char* __tsan_default_options() { return options; }
}
