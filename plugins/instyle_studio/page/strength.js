// Strength: how far the painting prevails over the photo. It is the weights of the style's losses.

/** Losses of instyle's own that compare with the painting. Others keep their weights. */
const OF_STYLE = new Set(["style", "transport", "palette"]);

/** The same losses, those of the style multiplied by 2 to the strength. */
export function strengthened(losses, strength) {
  if (!strength || !losses) return losses;
  return losses.map((loss) => {
    const named = typeof loss === "string" ? { use: loss } : loss;
    if (!OF_STYLE.has(named.use)) return loss;
    return { ...named, weight: Number(((named.weight ?? 1) * 2 ** strength).toPrecision(4)) };
  });
}

/** In words. */
export function strengthName(strength) {
  if (strength === 0) return "as the preset";
  return strength > 0 ? `× ${Number((2 ** strength).toFixed(1))}` : `÷ ${Number((2 ** -strength).toFixed(1))}`;
}
