package org.anyvirt.daemon.control;

import java.io.IOException;
import java.lang.System.Logger;
import java.lang.System.Logger.Level;
import java.util.List;
import java.util.function.UnaryOperator;
import org.anyvirt.daemon.Failures;
import org.anyvirt.daemon.configuration.RecordFormatException;
import org.anyvirt.daemon.configuration.RecordReader;
import org.anyvirt.daemon.control.ControlRequest.Operation;
import org.anyvirt.daemon.serving.Daemon;
import org.anyvirt.daemon.serving.DeviceStatus;
import org.anyvirt.daemon.serving.RefusedException;

/** Does what a line of JSON asks of the daemon, and answers in a line of JSON. */
public final class ControlResponder implements UnaryOperator<String> {
    private static final Logger LOG = System.getLogger(ControlResponder.class.getName());

    private final RecordReader reader = RecordReader.json();
    private final Daemon daemon;

    public ControlResponder(Daemon daemon) {
        this.daemon = daemon;
    }

    @Override
    public String apply(String request) {
        return Json.write(answer(request));
    }

    private ControlAnswer answer(String request) {
        try {
            return ControlAnswer.of(
                    perform(reader.read(request, ControlRequest.class).operation()));
        } catch (RecordFormatException | RefusedException e) {
            return ControlAnswer.error(e.getMessage());
        } catch (IOException e) {
            return ControlAnswer.error(Failures.describe(e));
        } catch (RuntimeException | Error e) {
            LOG.log(Level.ERROR, "control: a defect of this program, please report it", e);
            return ControlAnswer.error("a defect of this program; the daemon's log says more");
        }
    }

    private List<DeviceStatus> perform(Operation operation) throws IOException, RefusedException {
        switch (operation) {
            case Operation.ListDevices() -> {
                return daemon.list();
            }
            case Operation.Show(String device) -> {
                return List.of(daemon.show(device));
            }
            case Operation.Resize(String device, var capacity) -> {
                daemon.resize(device, capacity.bytes());
                return List.of(daemon.show(device));
            }
            case Operation.Add(String device, var block) -> {
                daemon.add(device, block);
                return List.of(daemon.show(device));
            }
            case Operation.Remove(String device) -> daemon.remove(device);
            case Operation.Shutdown() -> daemon.requestShutdown();
        }
        return List.of();
    }
}
