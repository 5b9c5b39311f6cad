import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.channels.FileChannel;
import java.nio.channels.Selector;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.util.concurrent.CompletableFuture;
import java.util.stream.IntStream;

/** What functions do in Java, done behind a filter of system calls: prints "fine" at the end. */
class BehindWalls {
    public static void main(String[] arguments) throws Exception {
        check(IntStream.range(0, 1000).parallel().sum() == 499500);
        check(CompletableFuture.supplyAsync(() -> 42).get() == 42);
        try (ServerSocket server = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            Thread answering = new Thread(() -> {
                try (Socket socket = server.accept(); OutputStream out = socket.getOutputStream()) {
                    out.write(7);
                } catch (Exception error) {
                    throw new IllegalStateException(error);
                }
            });
            answering.start();
            try (Socket socket = new Socket(server.getInetAddress(), server.getLocalPort())) {
                check(socket.getInputStream().read() == 7);
            }
            answering.join();
        }
        try (Selector selector = Selector.open()) {
            selector.selectNow();
        }
        Process process = new ProcessBuilder("echo", "hello").start();
        try (InputStream out = process.getInputStream()) {
            check(new String(out.readAllBytes()).equals("hello\n"));
        }
        check(process.waitFor() == 0);
        Path file = Files.createTempFile("walls", "");
        Files.writeString(file, "hello");
        try (FileChannel channel = FileChannel.open(file)) {
            check(channel.map(FileChannel.MapMode.READ_ONLY, 0, 5).get(0) == 'h');
        }
        Files.delete(file);
        new SecureRandom().nextInt();
        System.gc();
        Thread.sleep(1);
        System.out.println("fine");
    }

    private static void check(boolean holds) {
        if (!holds) {
            throw new AssertionError();
        }
    }
}
