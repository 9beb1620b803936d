// main.cc - the attacks of docs/threat_model.md, against every backing and placement.
#define DOCTEST_CONFIG_IMPLEMENT_WITH_MAIN
#include <doctest/doctest.h>
