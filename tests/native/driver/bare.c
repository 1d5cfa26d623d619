/* What driver.c takes of C's library, on a machine with nothing but a printer port. The memory at INPUT holds the name of a
 * kernel, from 64 bytes on what standard input would give. A program that reached its end says END and its code. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INPUT ((char *)0x8000000)

FILE *stdin, *stdout;
static char *heap = (char *)0x4000010; /* never at a multiple of 64: what asks for it faults */
static const char *next = INPUT + 64;
int main(int, char **);

static void out(uint16_t port, uint8_t value) { __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port)); }

void *memcpy(void *to, const void *from, size_t count) {
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(count) : : "memory");
    return to;
}
void *memset(void *to, int value, size_t count) {
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(count) : "a"(value) : "memory");
    return to;
}
int strcmp(const char *a, const char *b) {
    while (*a && *a == *b) a++, b++;
    return *a - *b;
}
void *malloc(size_t count) {
    void *at = heap;
    heap += (count + 79) / 64 * 64;
    return at;
}
void *calloc(size_t count, size_t size) { return memset(malloc(count * size), 0, count * size); }
void free(void *at) { (void)at; }
size_t fread(void *to, size_t size, size_t count, FILE *file) {
    (void)file;
    memcpy(to, next, size * count);
    next += size * count;
    return count;
}
size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
    (void)file;
    for (size_t i = 0; i < size * count; i++) out(0x378, ((const char *)from)[i]), out(0x37a, 13), out(0x37a, 12);
    return count;
}
int sched_yield(void) { return 0; }
void exit(int code) {
    fwrite("END", 1, 3, stdout), fwrite(&code, 1, 1, stdout);
    for (const char *word = "Shutdown"; *word; word++) out(0x8900, *word);
    for (;;) __asm__ volatile("hlt");
}
__attribute__((section(".start"))) void start(void) {
    char *words[2] = {"", INPUT};
    out(0x37a, 8), out(0x37a, 12);
    exit(main(2, words));
}
