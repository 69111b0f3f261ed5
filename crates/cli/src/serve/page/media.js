// Camera and microphone.

const WHY = {
  NotAllowedError: "Camera and microphone were refused, by you or by the system.",
  NotFoundError: "There is no camera and no microphone.",
  NotReadableError: "Another program has the camera or the microphone.",
  OverconstrainedError: "No camera can do what the settings ask for.",
  SecurityError: "The browser allows no camera here.",
};

// What the settings ask for; nothing is insisted on, but that which can only be one or another.
export function constraints({ resolution, aspect, frameRate, facing }) {
  const video = {};
  if (resolution) video.width = { ideal: Number(resolution) };
  if (aspect) video.aspectRatio = { ideal: Number(aspect) };
  if (frameRate) video.frameRate = { ideal: Number(frameRate), max: Number(frameRate) };
  if (facing) video.facingMode = { ideal: facing };
  return { audio: { echoCancellation: true }, video: Object.keys(video).length ? video : true };
}

// A stream, or a stream of sound only, or null; and what to say about it, if there is something.
export async function open(settings) {
  if (!navigator.mediaDevices?.getUserMedia) {
    const notice = "Browsers give camera and microphone only to pages of this machine (localhost) or over https.";
    return { stream: null, notice: `${notice} The call goes on with data only.` };
  }
  const wanted = constraints(settings);
  try {
    return { stream: await navigator.mediaDevices.getUserMedia(wanted) };
  } catch (error) {
    const why = WHY[error.name] ?? `Camera and microphone cannot be used: ${error.message}.`;
    if (error.name !== "NotAllowedError") {
      try {
        const stream = await navigator.mediaDevices.getUserMedia({ audio: wanted.audio });
        return { stream, notice: `No picture: ${WHY[error.name] ?? error.message} The call goes on with sound.` };
      } catch {
        // Neither of them: the first reason is the one to tell.
      }
    }
    return { stream: null, notice: `${why} The call goes on with data only.` };
  }
}

// What a camera really does.
export function describe(track) {
  const { width, height, frameRate, aspectRatio, facingMode } = track.getSettings();
  const parts = [width && `${width} × ${height}`, frameRate && `${Math.round(frameRate)} frames/s`];
  parts.push(aspectRatio && `aspect ${aspectRatio.toFixed(2)}`, facingMode);
  return parts.filter(Boolean).join(", ");
}
