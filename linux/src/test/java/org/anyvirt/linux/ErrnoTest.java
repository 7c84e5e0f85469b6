package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class ErrnoTest {
    @Test
    void namesErrorsAsTheHeadersDo() {
        assertThat(Errno.name(Errno.EAGAIN)).isEqualTo("EAGAIN");
        assertThat(Errno.name(Errno.ECANCELED)).isEqualTo("ECANCELED");
        assertThat(Errno.name(133)).isEqualTo("EHWPOISON");
    }

    @Test
    void showsNumbersThatNameNoError() {
        assertThat(Errno.name(41)).isEqualTo("errno 41");
        assertThat(Errno.name(4711)).isEqualTo("errno 4711");
        assertThat(Errno.name(-1)).isEqualTo("errno -1");
    }

    @Test
    void anExceptionTellsCallErrorAndArguments() {
        ErrnoException refused = new ErrnoException("mmap", Errno.ENOMEM, "4096 bytes at offset 0");
        assertThat(refused).hasMessageMatching("mmap: ENOMEM \\(.+\\): 4096 bytes at offset 0");
        assertThat(refused.call()).isEqualTo("mmap");
        assertThat(refused.errno()).isEqualTo(Errno.ENOMEM);
    }
}
