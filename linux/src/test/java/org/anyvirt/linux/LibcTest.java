package org.anyvirt.linux;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class LibcTest {
    static final class Program {
        public static void main(String[] arguments) throws Exception {
            new EventFd().close();
        }
    }

    @Test
    void withoutNativeAccessItSaysWhatToType() throws Exception {
        List<String> denied = List.of("--illegal-native-access=deny");
        Process process = ChildJvm.start(Program.class, denied);
        String output = new String(process.getInputStream().readAllBytes());
        assertThat(process.waitFor()).isEqualTo(1);
        assertThat(output)
                .contains("start java with --enable-native-access=ALL-UNNAMED")
                .contains("IllegalCallerException");
    }
}
