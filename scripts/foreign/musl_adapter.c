/*
 * The functions that Debian's libstdc++ and libgcc expect of glibc, for programs
 * that musl loads. It is loaded in the place of ld-linux-x86-64.so.2, on which
 * both depend.
 */

#define _GNU_SOURCE
#include <link.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

int getentropy(void *buffer, size_t length);

char __libc_single_threaded = 0;

size_t __strftime_l(char *text, size_t size, const char *format,
                    const struct tm *time, locale_t locale) {
  return strftime_l(text, size, format, time, locale);
}

uint32_t arc4random(void) {
  uint32_t number;
  if (getentropy(&number, sizeof number) != 0) abort();
  return number;
}

/* Destructors of thread-local objects, last registered first. */

struct destructor {
  void (*run)(void *);
  void *object;
  struct destructor *next;
};

static pthread_key_t key;
static pthread_once_t key_once = PTHREAD_ONCE_INIT;

static void run_destructors(void *first) {
  for (struct destructor *each = first, *next; each != NULL; each = next) {
    next = each->next;
    each->run(each->object);
    free(each);
  }
}

static void create_key(void) {
  if (pthread_key_create(&key, run_destructors) != 0) abort();
}

int __cxa_thread_atexit_impl(void (*run)(void *), void *object, void *library) {
  (void)library;
  struct destructor *added = malloc(sizeof *added);
  if (added == NULL) return -1;
  pthread_once(&key_once, create_key);
  *added = (struct destructor){run, object, pthread_getspecific(key)};
  return pthread_setspecific(key, added);
}

/* Finds the library of an address, for unwinding. */

struct search {
  uintptr_t address;
  struct dl_find_object *result;
};

static int match(struct dl_phdr_info *info, size_t size, void *data) {
  (void)size;
  struct search *search = data;
  uintptr_t start = UINTPTR_MAX, end = 0, frame = 0;
  int contains = 0;
  for (int index = 0; index < info->dlpi_phnum; index++) {
    const ElfW(Phdr) *header = &info->dlpi_phdr[index];
    uintptr_t from = info->dlpi_addr + header->p_vaddr;
    uintptr_t to = from + header->p_memsz;
    if (header->p_type == PT_GNU_EH_FRAME) frame = from;
    if (header->p_type != PT_LOAD) continue;
    if (from < start) start = from;
    if (to > end) end = to;
    if (search->address >= from && search->address < to) contains = 1;
  }
  if (!contains || frame == 0) return 0;
  *search->result = (struct dl_find_object){
      .dlfo_map_start = (void *)start,
      .dlfo_map_end = (void *)end,
      .dlfo_eh_frame = (void *)frame,
  };
  return 1;
}

int _dl_find_object(void *address, struct dl_find_object *result) {
  struct search search = {(uintptr_t)address, result};
  return dl_iterate_phdr(match, &search) == 1 ? 0 : -1;
}

/*
 * libgcc looks for its own, which musl hides because they have an old version.
 * No feature of the processor is needed.
 */
unsigned int __cpu_model[4];

int __cpu_indicator_init(void) { return 0; }
