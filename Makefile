# Short names for what Meson does. BUILD=folder chooses another build folder.
BUILD ?= build
MESON ?= meson

.PHONY: all test asan bench install clean

all: $(BUILD)/build.ninja
	ninja -C $(BUILD)

$(BUILD)/build.ninja:
	$(MESON) setup $(BUILD)

test: all
	$(MESON) test -C $(BUILD) --print-errorlogs

# Everything once more under AddressSanitizer, LeakSanitizer and UndefinedBehaviorSanitizer, with asserts.
asan: build-asan/build.ninja
	ninja -C build-asan
	UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1 $(MESON) test -C build-asan --print-errorlogs -t 5

build-asan/build.ninja:
	$(MESON) setup build-asan -Dbuildtype=debugoptimized -Db_sanitize=address,undefined -Db_lundef=false

bench: all
	$(BUILD)/sora bench

install: all
	$(MESON) install -C $(BUILD)

clean:
	rm -rf $(BUILD) build-asan
