# Cross-building for arm64 on another Debian machine. THUMBPOOL_ARM64_SYSROOT, in the environment or
# the cache, names the folder of arm64 headers and libraries; tests/arm64.sh makes it.
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_LIBRARY_ARCHITECTURE aarch64-linux-gnu)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)

set(THUMBPOOL_ARM64_SYSROOT "$ENV{THUMBPOOL_ARM64_SYSROOT}" CACHE PATH
    "Folder of arm64 headers and libraries")
if(NOT IS_DIRECTORY "${THUMBPOOL_ARM64_SYSROOT}")
    message(FATAL_ERROR "THUMBPOOL_ARM64_SYSROOT names no folder; tests/arm64.sh makes one")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES THUMBPOOL_ARM64_SYSROOT)
set(CMAKE_SYSROOT ${THUMBPOOL_ARM64_SYSROOT})

set(CMAKE_FIND_ROOT_PATH_MODE_PROGRAM NEVER)
set(CMAKE_FIND_ROOT_PATH_MODE_LIBRARY ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_INCLUDE ONLY)
set(CMAKE_FIND_ROOT_PATH_MODE_PACKAGE ONLY)

# pkg-config, whose word the build takes for its libraries, must not see this machine's.
set(ENV{PKG_CONFIG_PATH} "")
set(ENV{PKG_CONFIG_LIBDIR}
    ${CMAKE_SYSROOT}/usr/lib/aarch64-linux-gnu/pkgconfig:${CMAKE_SYSROOT}/usr/share/pkgconfig)
set(ENV{PKG_CONFIG_SYSROOT_DIR} ${CMAKE_SYSROOT})

find_program(QEMU_AARCH64 NAMES qemu-aarch64 qemu-aarch64-static)
if(QEMU_AARCH64)
    set(CMAKE_CROSSCOMPILING_EMULATOR ${QEMU_AARCH64} -L ${CMAKE_SYSROOT})
endif()
