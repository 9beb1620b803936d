// main.cc - the attacks of docs/threat_model.md, against every backing and placement.
#include <doctest/doctest.h>

int main(int argc, char** argv) { return doctest::Context(argc, argv).run(); }
