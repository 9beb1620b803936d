"""A recipe of Conan 2 for the source that it lies in: `conan create packaging/conan`. The package has shared and static libraries."""
import os

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain, cmake_layout
from conan.tools.files import copy


class Lockfast(ConanFile):
    name = "lockfast"
    version = "0.1.0"
    license = "Apache-2.0"
    description = "An allocator for secrets"
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"boojum": [True, False]}
    default_options = {"boojum": True}

    def export_sources(self):
        root = os.path.join(self.recipe_folder, "..", "..")
        for pattern in ("CMakeLists.txt", "LICENSE", "*.md", "allocator/*", "boojum/*", "cmake/*", "compat/*", "docs/*", "include/*",
                        "packaging/debian/*", "platform/*", "tools/*"):
            copy(self, pattern, root, self.export_sources_folder)

    def validate(self):
        if self.settings.os != "Linux":
            raise ConanInvalidConfiguration("this recipe is for Linux")

    def requirements(self):
        if self.options.boojum:
            self.requires("openssl/[>=3.0 <4]", transitive_libs=True)

    def layout(self):
        cmake_layout(self)

    def generate(self):
        CMakeDeps(self).generate()
        toolchain = CMakeToolchain(self)
        toolchain.cache_variables["LOCKFAST_DEVELOPER"] = False
        toolchain.cache_variables["LOCKFAST_TOOLS"] = False
        toolchain.cache_variables["CMAKE_DISABLE_FIND_PACKAGE_OpenSSL"] = not self.options.boojum
        toolchain.generate()

    def build(self):
        cmake = CMake(self)
        cmake.configure()
        cmake.build()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # The package's own files for CMake and pkg-config are those to be found, not made ones.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("lib", "cmake", "lockfast")]
