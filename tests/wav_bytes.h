/* WAV files for tests: one channel of 16 bits. */
#ifndef CST_TESTS_WAV_BYTES_H
#define CST_TESTS_WAV_BYTES_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { WAV_HEADER = 44 };

/* Store four bytes, the lowest first. */
static inline void wav_put(uint8_t *to, uint32_t value)
{
    for (size_t i = 0; i < 4; i++) to[i] = (uint8_t)(value >> 8 * i);
}

/* Write n samples of a tone with `cycles` periods per sample and amplitude 16384. Returns the number of bytes,
 * WAV_HEADER + 2 n. */
static inline size_t wav_tone(uint8_t *file, uint32_t rate, size_t n, double cycles)
{
    static const uint8_t header[WAV_HEADER] = "RIFF....WAVEfmt \x10\0\0\0\1\0\1\0........\2\0\x10\0data....";
    memcpy(file, header, WAV_HEADER);
    wav_put(file + 4, (uint32_t)(WAV_HEADER - 8 + 2 * n));
    wav_put(file + 24, rate);
    wav_put(file + 28, 2 * rate);
    wav_put(file + 40, (uint32_t)(2 * n));
    for (size_t i = 0; i < n; i++) {
        const int value = (int)(16384 * sin(2 * 3.14159265358979323846 * cycles * (double)i));
        file[WAV_HEADER + 2 * i] = (uint8_t)(value & 255);
        file[WAV_HEADER + 2 * i + 1] = (uint8_t)(value >> 8 & 255);
    }
    return WAV_HEADER + 2 * n;
}

#endif
