# Short names for what Meson does. BUILD=folder chooses another build folder.
BUILD ?= build
MESON ?= meson
# Warnings stop the build; WERROR=false lets compilers warn that we do not know.
WERROR ?= true

.PHONY: all test sweep asan tsan fuzz bench install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD) -Dwerror=$(WERROR)

test: all
	$(MESON) test -C $(BUILD) --print-errorlogs

# The tests that try a part of their cases, with all of them: every changed bit of a signed file, a kill before
# every step of a training, a failure of every allocation; and the Debian packages. Some minutes.
sweep: all
	SORA_SWEEP=1 $(MESON) test -C $(BUILD) --print-errorlogs 'e2e reference' 'train resume' shortage package

# Everything once more under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, with asserts.
asan: build-asan/build.ninja
	ninja -C build-asan
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(MESON) test -C build-asan --print-errorlogs

build-asan/build.ninja:
	$(MESON) setup build-asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false

# What has threads, under ThreadSanitizer. Some minutes.
tsan: build-tsan/build.ninja
	ninja -C build-tsan $(TSAN:%=tests/test_%)
	TSAN_OPTIONS=suppressions=$(CURDIR)/tests/tsan.supp $(MESON) test -C build-tsan --no-rebuild --print-errorlogs -t 5 $(TSAN)

TSAN = pool file lost pager latents engine stage

build-tsan/build.ninja:
	$(MESON) setup build-tsan -Dbuildtype=debugoptimized -Db_sanitize=thread -Db_lundef=false

# make fuzz NAME=gguf SECONDS=3600: libFuzzer on tests/fuzz/gguf_fuzz.c. What it finds new is in build-fuzz/found/gguf,
# an input that fails in build-fuzz/failed-*.
NAME ?= safetensors
SECONDS ?= 120
fuzz: build-fuzz/build.ninja
	ninja -C build-fuzz tests/fuzz_$(NAME)
	mkdir -p build-fuzz/found/$(NAME)
	build-fuzz/tests/fuzz_$(NAME) -max_total_time=$(SECONDS) -max_len=20000 -rss_limit_mb=2500 -print_final_stats=1 \
	    -artifact_prefix=build-fuzz/failed-$(NAME)- build-fuzz/found/$(NAME) tests/fuzz/corpus/$(NAME)

build-fuzz/build.ninja:
	CC=clang $(MESON) setup build-fuzz -Dfuzz=true -Dbuildtype=debugoptimized -Db_sanitize=address,undefined \
	    -Db_lundef=false -Dc_args=-fno-sanitize-recover=all

bench: all
	bench/readme.sh $(BUILD)

install: all
	$(MESON) install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-asan build-tsan build-fuzz
